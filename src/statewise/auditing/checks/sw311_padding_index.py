"""SW311: is the code of padding that of a real token?"""

from __future__ import annotations

from typing import TYPE_CHECKING

from statewise.auditing._check import Found, check
from statewise.auditing._embedding import watching_embeddings
from statewise.auditing._findings import bad

if TYPE_CHECKING:
    from torch import Tensor

    from statewise.auditing._subject import Subject


@check("SW311", "padding-index-is-a-token", needs=("codes",))
def padding_index_is_a_token(subject: Subject) -> Found:
    """No token that occurs at real steps is the padding of an embedding.

    How:
        Every code that the data has at real steps is fed, and held against the padding_idx of each embedding that reads it.
    Why:
        That token's vector stays zero and never learns.
    Mend:
        Keep one code for padding alone, or leave padding_idx out.
    Seen in:
        ibalazevic/TuckER#17
    """
    taken: list[tuple[int, set[int]]] = []

    def seen(codes: Tensor, padding: int | None, looked_up: Tensor) -> Tensor:
        if padding is not None:
            taken.append((padding, set(codes.flatten().tolist())))
        return looked_up

    whole = subject.whole
    with watching_embeddings(seen):
        for codes in subject.codes.split(whole.time):
            subject.ask(whole.with_x(_laid_out(codes, whole.x)))
    if not taken:
        return Found(status="not_applicable", evidence="no embedding has a padding_idx")
    wrong = sorted({code for code, read in taken if code in read})
    if wrong:
        return bad(subject, f"an embedding takes {wrong[0]} for padding, and reads it at real steps", where=f"code {wrong[0]}")
    return Found(status="pass", evidence="no code of a real step is that of padding")


def _laid_out(codes: Tensor, like: Tensor) -> Tensor:
    """Return rows of these codes, over and over."""
    repeated = codes.repeat(-(-like.numel() // len(codes)))[: like.numel()]
    return repeated.view(like.shape)
