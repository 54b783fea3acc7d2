import multer from 'multer';
import { Refusal } from './refusal.js';

const LARGEST = 5 * 1024 * 1024;
// The multipart form's own lines come on top.
const LARGEST_BODY = LARGEST + 64 * 1024;
const LONGEST_NAME = 255;

const parse = multer({
  storage: multer.memoryStorage(),
  limits: { fileSize: LARGEST, files: 1, fields: 1, parts: 2, fieldSize: 1024 },
  defParamCharset: 'utf8',
}).single('file');

const tooLarge = (headers) => new Refusal(413, 'the file is larger than 5 MB', headers);

/** Reads the one file of the form into `req.file`, counting what really comes: a chunked body tells no length. */
export function oneFile(req, res, next) {
  if (Number(req.headers['content-length']) > LARGEST_BODY) throw tooLarge({ Connection: 'close' });
  parse(req, res, (error) => {
    if (error?.code === 'LIMIT_FILE_SIZE') return next(tooLarge());
    if (error) return next(new Refusal(400, 'not a form with one file'));
    if (!req.file) return next(new Refusal(422, 'one field is needed: file'));
    next();
  });
}

/** The client's name as data: no folders, nothing that a terminal or header could take as its own. */
export function cleanName(name) {
  const last = name.replaceAll('\\', '/').split('/').pop();
  const plain = last.replace(/[\p{C}\p{Zl}\p{Zp}"<>|:*?]/gu, '').replace(/^[ .]+|[ .]+$/g, '');
  return [...plain].slice(-LONGEST_NAME).join('');
}
