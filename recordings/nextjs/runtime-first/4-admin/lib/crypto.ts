import { createHmac, pbkdf2, pbkdf2Sync, randomBytes, timingSafeEqual } from 'node:crypto';
import { promisify } from 'node:util';

const derive = promisify(pbkdf2);

const ITERATIONS = 210_000;
const TOKEN_SECONDS = 7 * 24 * 3600;
const SECRET = process.env.JWT_SECRET ?? 'dev-secret-key';

function same(one: string, other: string): boolean {
  const [a, b] = [Buffer.from(one), Buffer.from(other)];
  return a.length === b.length && timingSafeEqual(a, b);
}

const joined = (salt: Buffer, digest: Buffer) => `${ITERATIONS}$${salt.toString('hex')}$${digest.toString('hex')}`;

export async function hashPassword(password: string): Promise<string> {
  const salt = randomBytes(16);
  return joined(salt, await derive(password, salt, ITERATIONS, 32, 'sha256'));
}

/** While the database is opened, which cannot wait. */
export function hashPasswordSync(password: string): string {
  const salt = randomBytes(16);
  return joined(salt, pbkdf2Sync(password, salt, ITERATIONS, 32, 'sha256'));
}

export async function verifyPassword(password: string, stored: string): Promise<boolean> {
  const [iterations, salt, digest] = stored.split('$');
  const candidate = await derive(password, Buffer.from(salt, 'hex'), Number(iterations), 32, 'sha256');
  return same(candidate.toString('hex'), digest);
}

const encode = (value: object) => Buffer.from(JSON.stringify(value)).toString('base64url');

const sign = (text: string) => createHmac('sha256', SECRET).update(text).digest('base64url');

export function createToken(userId: number): string {
  const header = encode({ alg: 'HS256', typ: 'JWT' });
  const payload = encode({ sub: userId, exp: Math.floor(Date.now() / 1000) + TOKEN_SECONDS });
  return `${header}.${payload}.${sign(`${header}.${payload}`)}`;
}

export function readToken(token: string): number | null {
  const [header, payload, signature] = token.split('.');
  if (!header || !payload || !signature || !same(sign(`${header}.${payload}`), signature)) return null;
  const claims = JSON.parse(Buffer.from(payload, 'base64url').toString());
  return claims.exp > Date.now() / 1000 ? claims.sub : null;
}
