"""The command `kinesphere`, also as `python -m kinesphere`."""

from kinesphere.startup import prepare


def main() -> None:
    prepare()
    from kinesphere import cli

    cli.main()


if __name__ == "__main__":
    main()
