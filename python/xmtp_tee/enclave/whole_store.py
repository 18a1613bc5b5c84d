"""Is the whole store what its header says? Every record opened, every fact of the tree counted."""

from __future__ import annotations

from xmtp_tee.enclave.draft import Facts, document_digest
from xmtp_tee.enclave.proven_reads import ProvenReads
from xmtp_tee.enclave.records import HeadBody
from xmtp_tee.enclave.storage.rows import RowStore
from xmtp_tee.wire.store_faults import StoreTamperedError


def verify_whole(rows: RowStore, reads: ProvenReads, facts: Facts, body: HeadBody) -> None:
    """Return if nothing was touched. Linear in the number of keys; nobody may write meanwhile.

    :raises StoreTamperedError: if a row or document was changed, moved, exchanged, added, removed or rolled back
    """
    rows.check()
    count = memberships = tags = expected = 0
    for count, opened in enumerate(reads.scan(), start=1):
        if opened.row.position != count:
            raise StoreTamperedError("The order of the keys has a gap", got=opened.row.position)
        for tag, ordinal in opened.row.memberships():
            memberships += 1
            if ordinal == (members := facts.members(tag)):
                tags, expected = tags + 1, expected + members
    documents = 0
    for document in rows.documents():
        documents += 1
        if facts.document(document.id) != document_digest(facts.sealer, document):
            raise StoreTamperedError("A document is not the one that was written last")
    known = facts.tree.count()
    if (count, memberships, count + tags + documents) != (body.count, expected, known):
        raise StoreTamperedError(
            "The keys are not those that the header knows",
            got=f"{count} keys, {documents} documents",
            expected=f"{body.count} keys, {known} facts, unchanged",
            cause="rows were changed, added, removed, or put back to an older state",
        )
