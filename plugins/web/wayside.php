<?php
// A drop for wayside on cheap web space: put this file there, over https, and fill in the next lines. Needs PHP 7.4 or later and nothing else.
// docs/bridges/web.md says what it answers. Make a password's line with:  php -r 'echo password_hash("PASSWORD", PASSWORD_DEFAULT);'
const USERS = ['NAME' => 'HASH'];            // who may write; everybody may read what is sealed anyway
const FOLDER = __DIR__ . '/wayside-data';    // where records are kept; it is made
const CARDS = __DIR__ . '/.well-known/wayside'; // where public cards are put for `wayside accept https://HOST#NAME`, where this folder exists
const MOST_RECORDS = 2000, MOST_BYTES = 4194304, MOST_OF_ONE = 65536, MOST_DAYS = 400; // of each user

function say(int $status, string $text = '') { http_response_code($status); header('Content-Type: text/plain'); exit($text); }

// The records in these bytes, each as [check, not after, class, key, bytes of its file]; false where anything else is among them.
function records(string $all) {
    for ($found = [], $at = 0; $at < strlen($all); $at += $length) {
        $head = substr($all, $at, 40);
        if (strlen($head) < 40 || substr($head, 0, 9) !== "wayside\n\x01") return false;
        $part = unpack('Cclass/Ckind/Ckey/Jafter/Nlength', substr($head, 9, 15));
        $length = 40 + $part['key'] + $part['length'];
        $file = substr($all, $at, $length);
        $check = substr(hash('sha256', substr($file, 0, 24) . substr($file, 40), true), 0, 16);
        $good = strlen($file) === $length && $part['key'] <= 64 && $part['length'] <= MOST_OF_ONE && $part['after'] > 0;
        if (!$good || !hash_equals($check, substr($head, 24, 16))) return false;
        $found[] = [bin2hex($check), $part['after'], $part['class'], substr($file, 40, $part['key']), $file];
    }
    return $found;
}

// Who writes, from the header in whatever variable this server puts it; null for nobody.
function user() {
    $header = $_SERVER['HTTP_AUTHORIZATION'] ?? $_SERVER['REDIRECT_HTTP_AUTHORIZATION'] ?? '';
    $pair = isset($_SERVER['PHP_AUTH_USER']) ? $_SERVER['PHP_AUTH_USER'] . ':' . ($_SERVER['PHP_AUTH_PW'] ?? '') : base64_decode(substr($header, 6));
    [$name, $password] = array_pad(explode(':', $pair, 2), 2, '');
    return password_verify($password, USERS[$name] ?? '') ? $name : null;
}

// A card for people who have no bridge here, in a file of its own.
function card(string $class, string $key, ?string $file, string $check) {
    $path = CARDS . '/' . $key;
    if ($class !== '3' || !is_dir(CARDS) || !preg_match('/^[a-z0-9_][a-z0-9_.-]{0,63}$/D', $key)) return;
    if ($file !== null) { file_put_contents("$path.new", $file); rename("$path.new", $path); }
    elseif (is_file($path) && bin2hex((string) file_get_contents($path, false, null, 24, 16)) === $check) unlink($path);
}

ini_set('display_errors', '0');
header('Wayside-Address: ' . ($_SERVER['REMOTE_ADDR'] ?? ''));
header('Cache-Control: no-cache');
$method = $_SERVER['REQUEST_METHOD'] ?? 'GET';
if (!in_array($method, ['GET', 'HEAD', 'POST'], true)) say(405);
if ($method === 'POST' && ($who = user()) === null) { header('WWW-Authenticate: Basic realm="wayside"'); say(401); }
if (!is_dir(FOLDER) && !@mkdir(FOLDER, 0700) && !is_dir(FOLDER)) say(507, 'the folder cannot be made');
$lock = fopen(FOLDER . '/lock', 'c');
if (!$lock || !flock($lock, $method === 'POST' ? LOCK_EX : LOCK_SH)) say(503);

if ($method === 'POST') {
    $body = file_get_contents('php://input', false, null, 0, MOST_BYTES + 1);
    if (strlen($body) > MOST_BYTES) say(413);
    if (($new = records($body)) === false) say(422, 'not records, one after another');
    $mine = substr(hash('sha256', $who), 0, 16);
    $gone = array_flip(array_filter(explode(',', (string) ($_GET['remove'] ?? ''))));
    $there = $bytes = 0;
    array_map('unlink', glob(FOLDER . '/*.new')); // of a request that was cut off
    foreach (glob(FOLDER . '/*.rec') as $path) {
        [$after, $check, $owner, $class] = explode('-', basename($path, '.rec'));
        $over = $after + 86400 < time() || filemtime($path) + MOST_DAYS * 86400 < time();
        if ($owner === $mine && !$over && !isset($gone[$check])) { $there++; $bytes += filesize($path); }
        if (!$over && !($owner === $mine && isset($gone[$check]))) continue;
        $key = $class === '3' ? substr((string) file_get_contents($path), 40, ord((string) file_get_contents($path, false, null, 11, 1))) : '';
        card($class, $key, null, $check);
        unlink($path);
    }
    foreach ($new as [$check, $after, $class, $key, $file]) {
        $path = FOLDER . "/$after-$check-$mine-$class.rec";
        if (is_file($path)) continue;
        if (++$there > MOST_RECORDS || ($bytes += strlen($file)) > MOST_BYTES) say(507, 'full');
        if (@file_put_contents("$path.new", $file) !== strlen($file) || !rename("$path.new", $path)) { @unlink("$path.new"); say(507, 'full'); }
        card((string) $class, $key, $file, $check);
    }
    say(204);
}
$paths = array_filter(glob(FOLDER . '/*.rec'), fn($path) => (int) basename($path) + 86400 >= time());
$tag = '"' . hash('sha256', implode("\n", $paths)) . '"';
header("ETag: $tag");
if (($_SERVER['HTTP_IF_NONE_MATCH'] ?? '') === $tag) say(304);
header('Content-Type: application/octet-stream');
header('Content-Length: ' . array_sum(array_map('filesize', $paths)));
if ($method === 'GET') array_map('readfile', $paths);
