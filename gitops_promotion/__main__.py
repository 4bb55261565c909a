"""`python -m gitops_promotion`: the command line."""

from gitops_promotion.cli import main

if __name__ == "__main__":
    main()
