#!/usr/bin/env bash
# Builds the documentation site with mdBook, and checks every link between its pages. Needs Python 3.10 or later; mdBook is built on the first run, which takes
# minutes.
#
#   docs/site.sh            builds into FOLDER/site, where FOLDER is the build folder
#   docs/site.sh --check    builds nothing: every page is in SUMMARY.md, and llms.txt names files that there are
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
root=$here/..
target=${CARGO_TARGET_DIR:-$root/target}
version=0.5.4
repository=https://github.com/tickwire/tickwire
raw=https://raw.githubusercontent.com/tickwire/tickwire/main
fail() { echo "FAILED: $*" >&2; exit 1; }

for page in "$here"/*.md "$here"/design/*.md; do
  path=${page#"$here"/}
  [ "$path" = SUMMARY.md ] || grep -qF "]($path)" "$here/SUMMARY.md" || fail "SUMMARY.md lacks $path"
done
for path in $(grep -oE "$raw/[^)]*" "$here/llms.txt"); do
  [ -f "$root/${path#"$raw"/}" ] || fail "llms.txt names ${path#"$raw"/}, which is not there"
done
case ${1:-} in
  "") ;;
  --check) exit ;;
  *)
    sed -n 's/^#   //p' "$0" >&2
    exit 2
    ;;
esac

tool=$target/mdbook-$version
[ -x "$tool/bin/mdbook" ] ||
  CARGO_TARGET_DIR=$tool/target cargo install --quiet --locked --no-default-features --features search --version "$version" --root "$tool" mdbook
rm -rf "$tool/target"

# The book's sources: README.md is the first page, decisions are listed, and what a page links to outside of docs leads to the repository.
book=$target/book
rm -rf "$book" "$target/site"
mkdir -p "$book/src"
cp "$here/book.toml" "$book"
(cd "$here" && find . \( -name '*.md' -o -name '*.png' -o -name '*.svg' -o -name '*.json' \) -exec cp --parents {} "$book/src" \;)
sed -E "s#\]\(docs/#](#g; s#\]\(([A-Za-z][^):]*)\)#](@\1)#g; s#\]\(@((BOTS|GAME_GUIDE|OPERATIONS|PERFORMANCE|PROTOCOL|RELIABILITY|SCALING)\.md[^)]*|[a-z]+\.png|design/[^)]+\.md[^)]*)\)#](\1)#g; s#\]\(@(design|decisions)/\)#]($repository/tree/main/docs/\1)#g; s#\]\(@#]($repository/blob/main/#g" \
  "$root/README.md" >"$book/src/README.md"
sed -i 's#](../README.md)#](README.md)#' "$book/src/SUMMARY.md"
find "$book/src" -maxdepth 1 -name '*.md' ! -name README.md -exec sed -i -E "s#\]\(\.\./#]($repository/blob/main/#g" {} +
find "$book/src/design" "$book/src/decisions" -name '*.md' -exec sed -i -E "s#\]\(\.\./\.\./#]($repository/blob/main/#g" {} +
for decision in "$here"/decisions/2*.md; do
  name=$(basename "$decision")
  printf '  - [%s](decisions/%s)\n' "${name:0:10} $(sed -n '1s/^# //p' "$decision")" "$name" >>"$book/src/SUMMARY.md"
done
"$tool/bin/mdbook" build --dest-dir "$target/site" "$book"
cp "$here/llms.txt" "$target/site"

# Every link and picture of a page is there, and so is the place on the page.
python3 - "$target/site" <<'END'
import html.parser, pathlib, sys, urllib.parse

class Page(html.parser.HTMLParser):
    def __init__(self, path):
        super().__init__()
        self.links, self.names = [], set()
        self.feed(path.read_text())

    def handle_starttag(self, tag, attributes):
        attributes = dict(attributes)
        self.names.update(filter(None, [attributes.get("id"), attributes.get("name")]))
        self.links += [attributes[key] for key in ("href", "src") if attributes.get(key)]

site = pathlib.Path(sys.argv[1]).resolve()
pages = {path: Page(path) for path in site.rglob("*.html")}
dead = []
for path, page in pages.items():
    for link in page.links:
        parts = urllib.parse.urlsplit(link)
        # print.html and toc.html repeat the links of other pages; 404.html has a base of its own.
        if parts.scheme or parts.netloc or path.name in ("print.html", "toc.html", "404.html"):
            continue
        target = path if not parts.path else (path.parent / urllib.parse.unquote(parts.path)).resolve()
        if target.is_dir():
            target /= "index.html"
        fragment = urllib.parse.unquote(parts.fragment)
        if not target.exists() or fragment and target in pages and fragment not in pages[target].names:
            dead.append(f"{path.relative_to(site)}: {link}")
print("\n".join(dead) or f"{len(pages)} pages, no dead link")
sys.exit(bool(dead))
END
