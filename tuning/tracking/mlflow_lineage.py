"""Which data and which checkpoint a run in MLflow rests on: its datasets and its models.

A training's run makes a model, as MLflow calls it, for its snapshot: an entry with the snapshot's
key and no weights, for these are in the store. Runs of trials and cells name it as what they used,
so MLflow leads from a cell to its checkpoint, and from a checkpoint to all that used it.
"""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

_MODELS_PER_PAGE = 100
_DIGEST_CHARACTERS = 36


@dataclass(frozen=True)
class DatasetUse:
    """A data set that a run rests on.

    Attributes:
        name: the set's.
        digest: what identifies it; its first 36 characters are shown.
        context: what for: "training".
    """

    name: str
    digest: str
    context: str = "training"


class Lineage:
    """The models of one experiment, and what runs are linked to.

    Args:
        client: MLflow's client.
        experiment_id: the experiment.
    """

    def __init__(self, client: Any, experiment_id: str) -> None:
        self._client, self._experiment = client, experiment_id
        self._models = self._known()

    def _known(self) -> dict[str, str]:
        """Ids of all models, by key."""
        found: dict[str, str] = {}
        token: str | None = None
        while True:
            page = self._client.search_logged_models(
                [self._experiment], max_results=_MODELS_PER_PAGE, page_token=token
            )
            found |= {m.tags["key"]: m.model_id for m in page if "key" in m.tags}
            token = page.token
            if not token:
                return found

    def link(
        self,
        run: Any,
        datasets: Sequence[DatasetUse],
        *,
        makes: tuple[str, str, int] | None,
        uses: Sequence[str],
    ) -> None:
        """Links a run to what it rests on and what it makes; what is linked already stays as it is.

        Args:
            run: MLflow's run, as it is.
            datasets: data sets it rests on.
            makes: key, name and iteration of the snapshot that it is the run of.
            uses: keys of the snapshots it used; those that no run shows are left out.
        """
        from mlflow.entities import (
            Dataset,
            DatasetInput,
            InputTag,
            LoggedModelInput,
            LoggedModelOutput,
        )

        run_id, linked = run.info.run_id, run.inputs
        known = {(d.dataset.name, d.dataset.digest) for d in linked.dataset_inputs}
        new = [
            DatasetInput(
                Dataset(use.name, _digest(use), "local", json.dumps({"name": use.name})),
                [InputTag("mlflow.data.context", use.context)],
            )
            for use in datasets
            if (use.name, _digest(use)) not in known
        ]  # fmt: skip
        used = {m.model_id for m in linked.model_inputs}
        ids = [self._models[key] for key in uses if key in self._models]
        models = [LoggedModelInput(model_id) for model_id in ids if model_id not in used]
        if new or models:
            self._client.log_inputs(run_id, datasets=new, models=models)
        if makes is not None and makes[0] not in self._models:
            key, name, iteration = makes
            model = self._client.create_logged_model(
                self._experiment, name=name, source_run_id=run_id, tags={"key": key},
                params={"iteration": str(iteration)}, model_type="snapshot",
            )  # fmt: skip
            self._client.finalize_logged_model(model.model_id, "READY")
            self._client.log_outputs(run_id, [LoggedModelOutput(model.model_id, iteration)])
            self._models[key] = model.model_id


def _digest(use: DatasetUse) -> str:
    return use.digest[:_DIGEST_CHARACTERS]
