"""What a wallet key may sign: parsed first, judged by the policy, never blind."""
