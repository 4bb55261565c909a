"""The floor of each verb: the git commands and requests that it cannot do without, as a shell script.

The scripts decide nothing and check nothing. They run in the checkout, with the token in HEADER and the application in
APP, and leave what the verbs leave: a branch and a pull request that merges by itself.
"""

SHELL = ("sh", "-euc")

_FUNCTIONS = """
ask() { curl --silent --show-error --fail --header "$HEADER" "$@"; }
api() { path=$1; shift; ask "$GITHUB_API_URL/repos/$REPOSITORY/$path" "$@"; }
remote() { command=$1; shift; git -c "http.extraHeader=$HEADER" "$command" "$@"; }
field() { sed -n "s/.*\\"$1\\": \\"\\([^\\"]*\\)\\".*/\\1/p" | head -n 1; }
graphql() { ask "$GITHUB_GRAPHQL_URL" --data "{\\"query\\": \\"$1\\"}" > /dev/null; }
statuses() {
  object="object(oid: \\\\\\"$1\\\\\\") { id }"
  graphql "query { repository(owner: \\\\\\"acme\\\\\\", name: \\\\\\"gitops\\\\\\") { $object } }"
}
tip() {
  remote ls-remote --symref origin HEAD 'refs/heads/*' | sed -n 's/^\\([0-9a-f]*\\)\\trefs.heads.main$/\\1/p'
}
"""

_PROPOSE = """
branch=promote/shop-$APP
text=$(echo "$old" | sed "s/$APP:[0-9.]*/$APP:$TAG/")
sha=$({
  echo "commit refs/promotion/commit"
  echo "mark :1"
  echo "committer Bench <bench@example.org> $TIME +0000"
  echo "data 7"
  echo "Promote"
  echo "from $tip"
  echo "M 100644 inline $path"
  echo "data $(($(printf '%s' "$text" | wc -c) + 1))"
  echo "$text"
  echo
  echo "get-mark :1"
  echo done
} | git fast-import --quiet --force --done)
api "pulls?head=acme:$branch&state=all" > /dev/null
remote push --quiet --force origin "$sha:refs/heads/$branch"
pull="{\\"title\\": \\"$branch\\", \\"body\\": \\"\\", \\"head\\": \\"$branch\\", \\"base\\": \\"main\\"}"
id=$(api pulls --data "$pull" | tr ',' '\\n' | field node_id)
input="{pullRequestId: \\\\\\"$id\\\\\\", expectedHeadOid: \\\\\\"$sha\\\\\\", mergeMethod: MERGE}"
graphql "mutation { enablePullRequestAutoMerge(input: $input) { clientMutationId } }"
"""

_NEW = """
tip=$(tip)
remote fetch --quiet --no-tags --no-write-fetch-head origin refs/heads/main
path=$(git grep -l -F -e "shop:$APP\\"" "$tip" -- shop/dev | sed 's/^[^:]*://')
old=$(git cat-file blob "$tip:$path")
"""

_PROMOTE = """
tip=$(tip)
remote fetch --quiet --no-tags --no-write-fetch-head origin refs/heads/main
git diff-tree -r "$BEFORE" "$AFTER" > /dev/null
path=$(git grep -l -F -e "shop:$APP\\"" "$tip" -- shop/dev shop/qa | sed -n 's/^[^:]*:\\(shop.qa\\)/\\1/p')
git log -n 200 --first-parent --raw --format=%H "$tip" -- "shop/dev/$APP" "shop/qa/$APP" > /dev/null
old=$(git cat-file blob "$tip:$path")
"""

_STATUS = """
tip=$(tip)
pull=$(api "pulls/$PULL")
head=$(echo "$pull" | tr '{' '\\n' | field sha)
remote fetch --quiet --no-tags --no-write-fetch-head origin refs/heads/main "refs/heads/promote/shop-$APP"
base=$(git merge-base "$tip" "$head")
git diff-tree -r "$base" "$head" > /dev/null
git log -n 200 --first-parent --raw --format=%H "$tip" -- "shop/dev/$APP" > /dev/null
git cat-file --batch > /dev/null <<END
$base:shop/qa/$APP/deployment.yaml
$head:shop/qa/$APP/deployment.yaml
END
statuses "$tip"
"""

_ALL = """
tip=$(tip)
remote fetch --quiet --no-tags --no-write-fetch-head origin refs/heads/main
git grep -F -e '$imagepolicy' "$tip" > /dev/null
api "pulls?state=open&per_page=100" > /dev/null
"""

_PUBLISH = """
tip=$(tip)
remote fetch --quiet --no-tags --no-write-fetch-head origin '+refs/heads/*:refs/floor/*'
for head in $(git for-each-ref --format='%(objectname)' refs/floor/promote); do
  git diff-tree -r "$tip" "$head" > /dev/null
done
git log -n 200 --first-parent --raw --format=%H "$tip" -- shop > /dev/null
api "pulls?state=open&per_page=100" > /dev/null
statuses "$tip"
"""

_BOARD = """
tip=$(tip)
remote fetch --quiet --no-tags --no-write-fetch-head origin '+refs/heads/*:refs/floor/*'
git grep -F -e '$imagepolicy' "$tip" > /dev/null
git log --first-parent --raw --format=%H "$tip" -- shop > /dev/null
api "pulls?state=open&per_page=100" > /dev/null
statuses "$tip"
"""

_NEW_REPO = """
folder=$(mktemp -d)
git init --quiet --bare "$folder"
cd "$folder"
cat >> config <<END
[remote "origin"]
  url = $GITHUB_SERVER_URL/$REPOSITORY.git
  promisor = true
  partialclonefilter = blob:none
END
tip=$(tip)
remote fetch --quiet --depth=1 --filter=blob:none --no-tags --no-write-fetch-head origin refs/heads/main
path=shop/dev/$APP/deployment.yaml
old=$(remote cat-file blob "$tip:$path")
"""

SCRIPTS = {
    "new": _FUNCTIONS + _NEW + _PROPOSE,
    "promote": _FUNCTIONS + _PROMOTE + _PROPOSE,
    "status": _FUNCTIONS + _STATUS,
    "promote --all": _FUNCTIONS + _ALL,
    "status --publish": _FUNCTIONS + _PUBLISH,
    "board": _FUNCTIONS + _BOARD,
    "new --repo": _FUNCTIONS + _NEW_REPO + _PROPOSE + 'rm -rf "$folder"\n',
}
"""The script of each verb."""
