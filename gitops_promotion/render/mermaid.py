"""`graph --mermaid`: a flowchart that GitHub, GitLab and Azure DevOps draw in Markdown."""

from gitops_promotion.core.graph import Graph, Node


def graph(graph: Graph, *, colour: bool = False) -> str:
    """Return the flowchart, without a fence."""
    del colour
    # Names such as `end` are words of Mermaid: they stand in quotes, and nodes have numbers.
    numbers = {node.name: f"e{number}" for number, node in enumerate(graph.environments)}
    lines = ["flowchart LR"]
    lines += [f'  {numbers[node.name]}["{_label(node)}"]' for node in graph.environments]
    for node in graph.environments:
        for group in node.requirements:
            # Of several sources in one group one suffices.
            arrow = "-. any .->" if len(group) > 1 else "-->"
            lines += [f"  {numbers[source]} {arrow} {numbers[node.name]}" for source in group]
    return "\n".join(lines) + "\n"


def _label(node: Node) -> str:
    count = len(node.applications)
    applications = f"{count} application{'' if count == 1 else 's'}"
    return f"{node.name}<br/>{applications}<br/>{'merges by itself' if node.auto else 'a person merges'}"
