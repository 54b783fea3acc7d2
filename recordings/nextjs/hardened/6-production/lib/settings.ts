import { randomBytes } from 'node:crypto';
import { resolve } from 'node:path';
import { once } from './once';

const PLACEHOLDERS = ['secret', 'changeme', 'change-me', 'change_me', 'example', 'placeholder', 'your-', 'your_', 'password'];
const FEWEST_CHARACTERS = 8; // different ones

/** In production nothing starts on a guess; elsewhere a secret may be left out, and lasts as long as the process. */
function secret(name: string, shortest: number): string {
  const value = process.env[name] ?? '';
  if (process.env.APP_ENV !== 'production') return value || randomBytes(32).toString('hex');
  if (!value) throw new Error(`${name} is not set`);
  const plain = value.toLowerCase();
  const placeholder = new Set(value).size < FEWEST_CHARACTERS || PLACEHOLDERS.some((word) => plain.includes(word));
  if (value.length < shortest || placeholder) throw new Error(`${name} is too short or a placeholder`);
  return value;
}

/** Settings, read once from the environment, and not when a module is loaded: the build has none of them. */
export const settings = () =>
  once('settings', () => ({
    databasePath: process.env.DATABASE_PATH || 'app.db',
    uploadDir: resolve(process.env.UPLOAD_DIR || 'uploads'),
    jwtSecret: secret('JWT_SECRET', 32),
    webhookSecret: secret('WEBHOOK_SECRET', 16), // the provider chooses it
    tokenHours: 24,
    adminEmail: (process.env.ADMIN_EMAIL ?? '').trim().toLowerCase(),
    adminPassword: process.env.ADMIN_PASSWORD ?? '',
  }));
