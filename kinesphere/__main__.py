"""The command `kinesphere`, also as `python -m kinesphere`."""

from kinesphere.startup import calm_threads


def main() -> None:
    calm_threads()
    from kinesphere import cli

    cli.main()


if __name__ == "__main__":
    main()
