"""The repository: files of a commit, new commits, and a remote that is changed by compare-and-swap only.

The program never writes to the user's repository: every command runs in a private bare repository that borrows the
user's objects (docs/decisions/0002-private-object-store.md).
"""

from gitops_promotion.git.identity import DEFAULT_IDENTITY, Identity
from gitops_promotion.git.no_checkout import NoCheckout
from gitops_promotion.git.repository import Repository
from gitops_promotion.git.tree import Tree

__all__ = ["DEFAULT_IDENTITY", "Identity", "NoCheckout", "Repository", "Tree"]
