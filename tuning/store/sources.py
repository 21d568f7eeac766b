"""Records of the source code that computed each stored result, and of the classes behind kinds.

Every result names the code that computed it, by stage: the code of the result's own job, and that
of the results that the job read. A *code* is a document in ``code/`` with the digests of the
definitions that a job uses (see `scorelib.sources`). Its name is a digest of its content, so equal
code is written once. A result of an older version of this program names no code: its code is
unknown, and nothing is claimed about it.

The key of a result contains the kinds of its classes, and anyone may write a class of any kind
outside this distribution. A document in ``kinds/`` therefore keeps the digest of the source with
which a kind and version were first used on the store. Other source is refused.
"""

import hashlib
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from functools import cache

from scorelib.errors import InputError
from scorelib.sources import definitions, own_source, source_file
from scorelib.spec import Spec
from tuning.store.documents import Documents, as_json, as_name

Codes = Mapping[str, Sequence[str | None]]
"""Names of the codes that a result comes from, by stage; None stands for unknown code."""

_CODE, _KINDS = "code", "kinds"
_written: set[tuple[str, str]] = set()  # (URL of the store, name) of codes, in this process
_read: dict[str, Mapping[str, str]] = {}  # codes by name; a name stands for one content


def note_code(store: Documents, specs: Iterable[Spec]) -> str | None:
    """Writes the code of a job to the store, unless it is there, and returns its name.

    Args:
        store: store of the job's result.
        specs: the job with its nested specs.

    Returns:
        16 hexadecimal digits, equal for equal code; None if no source can be found.
    """
    found = _code_of(frozenset(type(spec) for spec in specs))
    if not found:
        return None
    name = hashlib.sha256(as_json(found)).hexdigest()[:16]
    if (store.url, name) not in _written:
        store.create_document(_CODE, name, found)
        _written.add((store.url, name))
    return name


@cache
def _code_of(classes: frozenset[type]) -> Mapping[str, str]:
    """Returns the digests of all definitions that some classes use, by definition."""
    return {name: digest for cls in classes for name, digest in definitions(cls).items()}


def codes_of(stage: str, code: str | None, inputs: Iterable[tuple[str, Codes | None]]) -> Codes:
    """Returns the codes that a new result comes from.

    Args:
        stage: stage of the result.
        code: name of the code of its job; None if unknown.
        inputs: stage and codes of each result that the job read; no codes if unknown.
    """
    found: dict[str, set[str | None]] = defaultdict(set, {stage: {code}})
    for name, codes in inputs:
        for of, known in (codes or {name: [None]}).items():
            found[of].update(known)
    return {of: sorted(known, key=str) for of, known in sorted(found.items())}


def changed_modules(store: Documents, results: Iterable[Codes]) -> list[str]:
    """Returns the modules whose versions differ between or within some results.

    Codes are compared stage by stage. Unknown code differs from no other.

    Args:
        store: store of the results.
        results: codes of each result.

    Returns:
        Sorted dotted names; empty if all known code is equal.
    """
    by_stage: dict[str, set[str]] = defaultdict(set)
    for codes in results:
        for stage, known in codes.items():
            by_stage[stage].update(code for code in known if code is not None)
    changed = set()
    for names in by_stage.values():
        digests: dict[str, set[str]] = defaultdict(set)
        for name in names if len(names) > 1 else ():
            for definition, digest in _definitions(store, name).items():
                digests[definition].add(digest)
        changed |= {name.partition(":")[0] for name, of in digests.items() if len(of) > 1}
    return sorted(changed)


def _definitions(store: Documents, name: str) -> Mapping[str, str]:
    """Returns the digests by definition of a code; empty if its document is lost."""
    if name not in _read:
        found = store.document(_CODE, name)
        if found is None:
            return {}
        _read[name] = found
    return _read[name]


def require_own_sources(store: Documents, specs: Iterable[Spec], *, note: bool = False) -> None:
    """Raises InputError if the store knows the kind of a foreign class with other source.

    Args:
        store: store of the results.
        specs: specs whose classes are checked; classes of this distribution are not.
        note: whether to write the source of a kind that the store does not know yet.
    """
    for cls in {type(spec): None for spec in specs}:
        source = own_source(cls)
        if source is None:
            continue
        body = {"kind": cls.KIND, "version": cls.VERSION, "source": source}
        digest = hashlib.sha256(cls.KIND.encode()).hexdigest()[:8]
        name = f"{as_name(cls.KIND)}-{digest}-v{cls.VERSION}"
        known = store.document(_KINDS, name)
        if known is None and note and not store.create_document(_KINDS, name, body):
            known = store.document(_KINDS, name)  # another process was faster
        if known is not None and known != body:
            raise InputError(
                f"the source of {cls.__qualname__} in {source_file(cls)} must be that which the "
                f"store {store.url!r} keeps for the kind {cls.KIND!r}, version {cls.VERSION}, but "
                "differs: raise VERSION in the class, or declare another KIND if this is another "
                "class"
            )
