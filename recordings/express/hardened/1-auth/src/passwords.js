import bcrypt from 'bcrypt';

const ROUNDS = 12;
const SHORTEST = 10;
// bcrypt reads no further than this; longer ones are refused, not cut.
const LONGEST_BYTES = 72;
const COMMON = new Set([
  '1234567890', '0123456789', 'password12', 'password123', 'password1234', 'qwertyuiop', 'iloveyou12',
  'administrator', 'letmein123', 'welcome123', 'changeme123', 'passw0rd123', 'qwerty12345', '12345678910',
]);

export function problem(password, email) {
  if ([...password].length < SHORTEST) return `the password needs at least ${SHORTEST} characters`;
  if (Buffer.byteLength(password) > LONGEST_BYTES) return `the password is longer than ${LONGEST_BYTES} bytes`;
  const plain = password.toLowerCase();
  if (COMMON.has(plain) || plain === email || new Set(password).size < 4) return 'the password is too common';
  return null;
}

export async function keep(password) {
  if (Buffer.byteLength(password) > LONGEST_BYTES) throw new RangeError('the password is too long');
  return bcrypt.hash(password, ROUNDS);
}

// Checked when there is no such user, so that the answer takes as long.
const NOBODY = await keep('nobody has this password');

export async function matches(password, kept) {
  const right = await bcrypt.compare(password, kept ?? NOBODY);
  return right && kept !== undefined && Buffer.byteLength(password) <= LONGEST_BYTES;
}
