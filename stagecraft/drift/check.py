"""What pyinfra runs on each server for `stagecraft drift`, always with --dry: the plan of
deploy.py, then a look at all that a plan does not show. Writes a Report as JSON to the file that
`--data report=` names."""

from pathlib import Path

from pyinfra.context import host

from stagecraft.drift.judging.managed import managed
from stagecraft.drift.judging.running import RUNNING
from stagecraft.drift.judging.running.mounts import without_what_is_hidden
from stagecraft.drift.judging.unmanaged import UNMANAGED
from stagecraft.drift.judging.wearing import WEARING
from stagecraft.drift.judging.who import witnessed
from stagecraft.drift.looking.areas import look
from stagecraft.drift.looking.declared import declared_here
from stagecraft.drift.looking.plan import refuse_execution, unremoved

refuse_execution()
_declared = declared_here()
_found = look([managed, *UNMANAGED, *RUNNING, *WEARING], _declared)
_report = witnessed(unremoved(without_what_is_hidden(_found)), _declared.environment)
Path(host.data.report).write_text(_report.model_dump_json(by_alias=True))
