"""The lineage of runs in MLflow: the data sets and models that each run uses or produces.

The run of a training has an MLflow model as its output for the snapshot. The model entry holds the
snapshot's key and no weights, because the weights are in the store. Runs of trials and cells have
this model as an input. So MLflow links a cell to its snapshot, and a snapshot to all runs that use
it.
"""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

_MODELS_PER_PAGE = 100
_DIGEST_CHARACTERS = 36


@dataclass(frozen=True)
class DatasetUse:
    """The use of a data set by a run.

    Attributes:
        name: name of the data set.
        digest: digest of the data set; MLflow shows its first 36 characters.
        context: purpose of the use, such as "training".
    """

    name: str
    digest: str
    context: str = "training"


class Lineage:
    """The models of one MLflow experiment and the links of its runs to data sets and models.

    Args:
        client: client of MLflow (`mlflow.tracking.MlflowClient`).
        experiment_id: id of the experiment.
    """

    def __init__(self, client: Any, experiment_id: str) -> None:
        self._client, self._experiment = client, experiment_id
        self._models = self._known()

    def _known(self) -> dict[str, str]:
        """Returns the ids of all models of the experiment, by the key of the snapshot."""
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
        """Links a run to its data sets, the snapshots that it uses and the snapshot that it makes.

        Existing links are not changed.

        Args:
            run: current state of the run in MLflow (`mlflow.entities.Run`).
            datasets: data sets that the run uses.
            makes: key, name and iteration of the model that the run made (0 if it was not trained);
                None for other runs.
            uses: keys of the models that the run used; models without a run are left out.
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
                params={"iteration": str(iteration)} if iteration else {}, model_type="snapshot",
            )  # fmt: skip
            self._client.finalize_logged_model(model.model_id, "READY")
            self._client.log_outputs(run_id, [LoggedModelOutput(model.model_id, iteration)])
            self._models[key] = model.model_id


def _digest(use: DatasetUse) -> str:
    return use.digest[:_DIGEST_CHARACTERS]
