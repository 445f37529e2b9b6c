"""Placeholder until the reading side is merged."""


def add_journal(parser):
    parser.add_argument("--journal", metavar="FILE")
