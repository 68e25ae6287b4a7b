"""`python -m videoquant`: the command, for `torchrun -m videoquant train …` too."""

from videoquant.cli import main

main()
