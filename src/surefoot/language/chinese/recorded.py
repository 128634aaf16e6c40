"""Sentences that the engine writes into records, with their fields; they are recognised there when a page is made."""

__all__ = ["RECORDED"]

RECORDED = {
    "run {number}": "第 {number} 次训练",
    "{name} diverged": "{name}发散了",
}
