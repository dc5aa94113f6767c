// node github_trim.mjs api.github.com.json github_trim.json: keeps only the paths that a plugin uses, so that Prism loads it in a second.
//
// {path} and {ref} may hold slashes at GitHub but not in OpenAPI, so deeper variants are added; and each application/json answer is also offered as
// application/vnd.github+json, which GitHub asks clients to accept.
import fs from 'node:fs';

const [, , source, target] = process.argv;
const spec = JSON.parse(fs.readFileSync(source));
const REPO = '/repos/{owner}/{repo}';
const keep = new Set([
  '/user', '/rate_limit', REPO,
  `${REPO}/contents/{path}`,
  `${REPO}/issues/{issue_number}`, `${REPO}/issues/{issue_number}/comments`, `${REPO}/issues/comments/{comment_id}`,
  `${REPO}/git/blobs`, `${REPO}/git/blobs/{file_sha}`, `${REPO}/git/trees`, `${REPO}/git/trees/{tree_sha}`,
  `${REPO}/git/commits`, `${REPO}/git/commits/{commit_sha}`, `${REPO}/git/refs`, `${REPO}/git/refs/{ref}`, `${REPO}/git/ref/{ref}`,
]);

const paths = {};
for (const [path, value] of Object.entries(spec.paths)) {
  if (!keep.has(path)) continue;
  paths[path] = value;
  const last = path.match(/^(.*)\/\{(path|ref)\}$/);
  for (let depth = 1; last && depth <= 3; depth++) {
    const names = Array.from({ length: depth }, (_, i) => `seg${i}`);
    const copy = structuredClone(value);
    for (const operation of Object.values(copy)) {
      if (!operation?.parameters) continue;
      operation.operationId += `-d${depth}`;
      operation.parameters.push(...names.map(name => ({ name, in: 'path', required: true, schema: { type: 'string' } })));
    }
    paths[last[1] + names.map(name => `/{${name}}`).join('') + `/{${last[2]}}`] = copy;
  }
}

function alias(response) {
  const content = response.content;
  if (content?.['application/json']) content['application/vnd.github+json'] ??= content['application/json'];
}
for (const path of Object.values(paths))
  for (const operation of Object.values(path))
    for (const response of Object.values(operation.responses ?? {})) alias(response);

// What the kept paths refer to, and what that refers to.
const components = {};
const seen = new Set();
(function walk(node) {
  if (Array.isArray(node)) return node.forEach(walk);
  if (!node || typeof node !== 'object') return;
  if (typeof node.$ref === 'string' && !seen.has(node.$ref)) {
    seen.add(node.$ref);
    const keys = node.$ref.split('/').slice(1);
    const found = keys.reduce((at, key) => at[key], spec);
    (components[keys[1]] ??= {})[keys[2]] = found;
    if (keys[1] === 'responses') alias(found);
    walk(found);
  }
  for (const [key, value] of Object.entries(node)) if (!/^examples?$/.test(key)) walk(value);
})(paths);

// Examples hold references to what is not carried along.
(function strip(node) {
  if (Array.isArray(node)) return node.forEach(strip);
  if (!node || typeof node !== 'object') return;
  for (const key of Object.keys(node))
    if ((key === 'examples' || key === 'x-webhooks') && !node.type) delete node[key];
    else strip(node[key]);
})({ paths, components });
delete components.examples;

// The server behind the guard does not count these.
const repository = components.schemas['full-repository'];
repository.required = repository.required.filter(name => !['network_count', 'subscribers_count'].includes(name));

fs.writeFileSync(target, JSON.stringify({ openapi: spec.openapi, info: spec.info, servers: [{ url: '/' }], paths, components }) + '\n');
