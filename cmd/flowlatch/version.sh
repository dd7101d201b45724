#!/bin/sh
# Prints the version of the sources, for 'make build': the tag of the commit, such as v1.2.3. After
# a tag it is v1.2.3-4-gc0ffee1, and without a tag v0.0.0-DATE-COMMIT. It ends with +dirty if a file
# differs from the commit. Prints nothing if the folder is not a checkout of its own. Then the
# program prints what the go command knows.
cd "$(dirname "$0")/../.." || exit 0
# An archive of the sources may lie in another repository, whose tags mean nothing here.
[ "$(git rev-parse --is-inside-work-tree 2>/dev/null)$(git rev-parse --show-prefix 2>/dev/null)" = true ] || exit 0
version=$(git describe --tags --match 'v[0-9]*.[0-9]*.[0-9]*' 2>/dev/null) ||
	version=v0.0.0-$(TZ=UTC git log -1 --date=format-local:%Y%m%d%H%M%S --format=%cd-%H 2>/dev/null | cut -c 1-27)
[ -z "$(git status --porcelain 2>/dev/null)" ] || version=$version+dirty
case $version in
v0.0.0- | v0.0.0-+dirty | *[!A-Za-z0-9.+-]*) ;; # no commit, or a tag that no version has
*) echo "$version" ;;
esac
