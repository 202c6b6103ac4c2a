"""What a run of deploy.py would change."""

from __future__ import annotations

from pyinfra import local
from pyinfra.context import host, state

from stagecraft.drift.areas import Looked
from stagecraft.drift.declared import Declared
from stagecraft.drift.findings import Cause, Class, Finding, Severity


def managed(declared: Declared) -> Looked:
    """The plan of deploy.py: each operation that would change something."""
    before = set(state.ops[host])
    local.include("deploy.py")
    planned = {hash: data for hash, data in state.ops[host].items() if hash not in before}
    changing = [hash for hash, data in planned.items() if data.operation_meta.will_change]
    return Looked(
        [finding(", ".join(state.get_op_meta(hash).names), declared) for hash in changing],
        declared=len(planned) - len(changing),
        total=len(planned),
    )


def finding(operation: str, declared: Declared) -> Finding:
    name = declared.environment.name
    return Finding.model_validate(
        {
            "class": Class.MANAGED,
            "severity": Severity.HIGH,
            "kind": "operation",
            "thing": operation,
            "environment": name,
            "expected": "as declared",
            "found": "a run would change it",
            "remedy": f"pyinfra inventories/{name}.py deploy.py",
            "cause": Cause.SERVER,
        }
    )
