import { extname } from 'node:path';

const SIGNATURES = {
  'image/png': Buffer.from('\x89PNG\r\n\x1a\n', 'latin1'),
  'image/jpeg': Buffer.from('\xff\xd8\xff', 'latin1'),
  'application/pdf': Buffer.from('%PDF-', 'latin1'),
};
const ENDINGS = new Map([
  ['.png', 'image/png'],
  ['.jpg', 'image/jpeg'],
  ['.jpeg', 'image/jpeg'],
  ['.pdf', 'application/pdf'],
  ['.txt', 'text/plain'],
]);
const MARKUP = ['<!doctype', '<html', '<script', '<svg', '<?xml', '<head', '<body', '<iframe'];

const startsWith = (content, signature) => content.subarray(0, signature.length).equals(signature);

/** Judged by the name's ending and by the content, never by what the client declares. */
export function kindOf(filename, content) {
  const kind = ENDINGS.get(extname(filename).toLowerCase());
  if (!kind) return null;
  if (kind !== 'text/plain') return startsWith(content, SIGNATURES[kind]) ? kind : null;
  return isPlainText(content) ? kind : null;
}

function isPlainText(content) {
  if (content.includes(0) || Object.values(SIGNATURES).some((signature) => startsWith(content, signature))) return false;
  let text;
  try {
    text = new TextDecoder('utf-8', { fatal: true }).decode(content);
  } catch {
    return false;
  }
  const start = text.slice(0, 1024).toLowerCase();
  return !MARKUP.some((mark) => start.includes(mark));
}
