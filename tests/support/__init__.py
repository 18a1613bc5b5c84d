"""What several tests share: a chain of one's own, fixtures, evidence."""
