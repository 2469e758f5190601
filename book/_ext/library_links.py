"""Links between the library's reference and the pages that use it, both ways.

Nobody keeps a list. Whenever a page is read, this extension looks through the code that it shows
for names of ``lib``: what was imported, and what is reached from there with dots. When all pages
are known,

* each entry of the reference gets a line "On the pages", with links to the pages that use it. Such
  a line replaces the sentence "Used in ..." of its docstring, which is there for ``help()``;
* each page with code that uses entries of the reference ends with a line "From the library", with
  links to these entries.
"""

from __future__ import annotations

import ast
import re

from claims_ledger import reading_order
from docutils import nodes
from sphinx import addnodes

LANGUAGES = {"ipython3", "ipython", "python", "python3", "py"}
PACKAGE = "lib"
MAGIC = re.compile(r"^\s*[%!].*$", re.M)
QUOTED = r'"[^"]*"|\u201c[^\u201d]*\u201d'
USED = re.compile(rf"\s*\bUsed (?:in|on|where|wherever)\b(?:{QUOTED}|[^.\"\u201c])*\.")


class Names(ast.NodeVisitor):
    """Collects the dotted names of the package that a page's code uses, each once, in order."""

    def __init__(self):
        self.known = {}  # what a name of the page stands for
        self.found = {}

    def visit_Import(self, node):
        """Take note of ``import lib`` and ``import lib.optimizers as o``."""
        for name in node.names:
            if name.name.split(".")[0] == PACKAGE:
                self.known[name.asname or PACKAGE] = name.name if name.asname else PACKAGE

    def visit_ImportFrom(self, node):
        """Take note of ``from lib import optimizers``; what is imported counts as used."""
        if node.level == 0 and node.module and node.module.split(".")[0] == PACKAGE:
            for name in node.names:
                full = f"{node.module}.{name.name}"
                self.known[name.asname or name.name] = full
                self.found[full] = None

    def visit_Name(self, node):
        """Count a name that stands for something of the package."""
        if node.id in self.known:
            self.found[self.known[node.id]] = None

    def visit_Attribute(self, node):
        """Count the whole of ``optimizers.gradient_descent``."""
        parts, inner = [node.attr], node.value
        while isinstance(inner, ast.Attribute):
            parts.append(inner.attr)
            inner = inner.value
        if isinstance(inner, ast.Name) and inner.id in self.known:
            self.found[".".join([self.known[inner.id], *reversed(parts)])] = None
        else:
            self.visit(inner)


def names_in(blocks):
    """Return the names of the package in pieces of code that belong together, in order.

    Parameters
    ----------
    blocks : iterable of str
        Code as a page shows it. A piece that is no Python is passed over: some pages show what
        does not work.

    Returns
    -------
    list of str
        Dotted names, such as "lib.optimizers.gradient_descent.path".
    """
    names = Names()
    for block in blocks:
        try:
            names.visit(ast.parse(MAGIC.sub("", block)))
        except SyntaxError:
            continue
    return list(names.found)


def documented(names, objects):
    """Return the entries of the reference that names lead to: of each, the longest that exists."""
    entries = {}
    for name in names:
        while name and name not in objects:
            name = name.rpartition(".")[0]
        if name and objects[name].objtype != "module":
            entries[name] = None
    return list(entries)


def keep_names(app, doctree):
    """Store what the page that was just read uses, unless it is a page of the reference."""
    env = app.env
    names = []
    if not list(doctree.findall(addnodes.desc)):
        blocks = (b for b in doctree.findall(nodes.literal_block) if b["language"] in LANGUAGES)
        names = names_in(block.astext() for block in blocks)
    env.library_names = {**getattr(env, "library_names", {}), env.docname: names}


def forget_names(app, env, docname):
    """Drop what a page used that is read anew or has gone."""
    getattr(env, "library_names", {}).pop(docname, None)


def objects_of(env):
    """Return the entries of the reference by name."""
    return env.get_domain("py").objects


def uses(env):
    """Return the pages that use each entry, in reading order."""
    objects, found = objects_of(env), {}
    stored = getattr(env, "library_names", {})
    for docname in reading_order(env):
        for name in documented(stored.get(docname, ()), objects):
            found.setdefault(name, []).append(docname)
    return found


def refresh(app, env):
    """Have the pages written anew whose lines change with other pages."""
    before, now = getattr(env, "library_uses", None), uses(env)
    if before == now:
        return []
    env.library_uses = now
    pages = {entry.docname for entry in objects_of(env).values()}
    changed = {
        docname
        for name in {*now, *(before or {})}
        for docname in {*now.get(name, ()), *(before or {}).get(name, ())}
        if now.get(name) != (before or {}).get(name)
    }
    return sorted((pages | changed) & env.found_docs)


def listing(title, links):
    """Return a paragraph that begins with a title and lists links."""
    paragraph = nodes.paragraph("", "", nodes.strong("", title), classes=["library-links"])
    for number, link in enumerate(links):
        paragraph += [nodes.Text(", " if number else ": "), link]
    return paragraph


def drop_notes(content):
    """Remove a docstring's sentence "Used in ...", and the heading of a note that is empty then."""
    for paragraph in list(content.findall(nodes.paragraph)):
        for text in [child for child in paragraph.children if isinstance(child, nodes.Text)]:
            paragraph.replace(text, nodes.Text(USED.sub("", text)))
        if not paragraph.astext().strip():
            above = paragraph.parent[paragraph.parent.index(paragraph) - 1]
            paragraph.parent.remove(paragraph)
            if isinstance(above, nodes.rubric):
                above.parent.remove(above)


def add_links(app, doctree, docname):
    """Write the lines."""
    env, builder = app.env, app.builder
    used = getattr(env, "library_uses", {})
    for entry in list(doctree.findall(addnodes.desc)):
        names = [name for part in entry.findall(addnodes.desc_signature) for name in part["ids"]]
        pages = used.get(names[0] if names else "", [])
        if pages:
            links = [
                nodes.reference(
                    "",
                    env.titles[page].astext(),
                    refuri=builder.get_relative_uri(docname, page),
                    internal=True,
                )
                for page in pages
            ]
            content = next(entry.findall(addnodes.desc_content))
            drop_notes(content)
            content += listing("On the pages", links)
    here = [name for name, pages in used.items() if docname in pages]
    if here:
        objects = objects_of(env)
        order = documented(env.library_names.get(docname, ()), objects)
        links = []
        for name in sorted(order, key=str.lower):
            entry = objects[name]
            address = f"{builder.get_relative_uri(docname, entry.docname)}#{entry.node_id}"
            text = nodes.literal("", name.removeprefix(f"{PACKAGE}."))
            links.append(nodes.reference("", "", text, refuri=address, internal=True))
        last = [node for node in doctree.children if isinstance(node, nodes.section)][-1]
        last += listing("From the library", links)


def setup(app):
    """Connect the extension to Sphinx."""
    app.connect("doctree-read", keep_names)
    app.connect("env-purge-doc", forget_names)
    app.connect("env-updated", refresh)
    app.connect("doctree-resolved", add_links)
    return {"version": "1.0", "parallel_read_safe": False, "parallel_write_safe": True}
