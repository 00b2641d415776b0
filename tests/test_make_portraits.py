"""What the card of the built-in model tells of a run: all that was done to it until the snapshot that was chosen, and no more."""

import json

from kinesphere.builtin.make_portraits import stage
from kinesphere.train.about import RUN


def test_a_stage_tells_every_command_and_number_up_to_its_snapshot(tmp_path):
    commands = [f"kinesphere train --out run --gamma {gamma}" for gamma in (0.4, 0.2, 0.1)]
    about = {
        "recipe": {"img_resolution": 64, "gamma": 0.1, "batch": 16, "channels": [8] * 5},
        "data": {},
        "networks": {},
        "options": {},
        "command": commands[0],
        "started": "2026-01-01T00:00:00+00:00",
        "seed": 3,
        "notes": ["taken as it is"],
        "changes": [
            {"kimg": 10.0, "name": "gamma", "from": 0.4, "to": 0.2},
            {"kimg": 30.0, "name": "gamma", "from": 0.2, "to": 0.1},
        ],
        "sessions": [
            {"kimg": kimg, "command": command} for kimg, command in zip((0.0, 10.0, 30.0), commands, strict=True)
        ],
    }
    (tmp_path / RUN).write_text(json.dumps(about))
    ticks = [{"kimg": float(kimg), "seconds": 60.0 * kimg} for kimg in range(1, 41)]
    (tmp_path / "log.jsonl").write_text("".join(json.dumps(tick) + "\n" for tick in ticks))
    said = stage(tmp_path, 20)
    assert said["kimg"] == 20 and said["hours"] == 0.33
    assert said["recipe"] == about["recipe"] | {"gamma": 0.2}
    assert (said["command"], said["resumed"]) == (commands[0], [f"at 10.0 kimg: {commands[1]}"])
    assert stage(tmp_path)["recipe"]["gamma"] == 0.1 and len(stage(tmp_path)["resumed"]) == 2
