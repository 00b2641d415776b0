"""Whatever is sent to the stage's REST is answered as its own description says, and never with a fault of ours."""

import warnings

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from kinesphere import patch
from kinesphere.engine import Engine
from kinesphere.performance import Performance
from kinesphere.stage import Door, Library, Session, app

with warnings.catch_warnings():  # starlette would rather have httpx2; it takes httpx as well
    warnings.simplefilter("ignore")
    import schemathesis
    from starlette.testclient import TestClient  # noqa: F401  (schemathesis asks for it later)


@pytest.fixture
def stage(tiny_checkpoint, tmp_path, one_thread):
    played = patch.Patch(model="tiny")
    library = Library(tmp_path)
    library.trust(played)
    with Performance(played, engine=Engine(played, tiny_checkpoint), load=library.load) as performance:
        with Session(performance, library) as session:
            performance.frames.newer(0, 30)
            yield session, at_home(app(session, Door(port=80)))


def at_home(application):
    """The stage, called by its name whatever the client thinks it is."""

    async def called(scope, receive, send):
        others = [(name, value) for name, value in scope.get("headers", ()) if name != b"host"]
        await application({**scope, "headers": [*others, (b"host", b"localhost")]}, receive, send)

    return called


@pytest.mark.filterwarnings("ignore")
def test_every_request_of_the_schema_is_answered_in_words(stage):
    session, application = stage
    schema = schemathesis.openapi.from_asgi("/api/openapi.json", application)
    operations = [result.ok() for result in schema.get_all_operations()]
    assert len(operations) > 10

    @settings(max_examples=150, suppress_health_check=list(HealthCheck), database=None, deadline=None)
    @given(st.one_of([operation.as_strategy() for operation in operations]))
    def answered(case):
        answer = case.call()
        assert answer.status_code < 500, (case.method, case.formatted_path, answer.text)
        if answer.status_code >= 400 and answer.status_code not in (404, 405):
            assert answer.json()["problems"]

    drawn = session.performance.frames.count
    answered()
    session.performance.frozen = False
    assert session.performance.frames.newer(drawn, 30)[0] is not None
