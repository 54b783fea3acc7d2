import { randomBytes } from 'node:crypto';
import { resolve } from 'node:path';

const PRODUCTION = process.env.APP_ENV === 'production';
const PLACEHOLDERS = ['secret', 'changeme', 'change-me', 'change_me', 'example', 'placeholder', 'your-', 'your_', 'password'];
const FEWEST_CHARACTERS = 8; // different ones

function stop(problem) {
  console.error(problem);
  process.exit(1);
}

function secret(name, shortest) {
  const value = process.env[name] || '';
  if (!PRODUCTION) return value || randomBytes(32).toString('hex');
  if (!value) stop(`${name} is not set`);
  const placeholder =
    new Set(value).size < FEWEST_CHARACTERS || PLACEHOLDERS.some((word) => value.toLowerCase().includes(word));
  if (value.length < shortest || placeholder) stop(`${name} is too short or a placeholder`);
  return value;
}

/** Settings, read once from the environment. In production nothing starts on a guess. */
export const settings = {
  databasePath: resolve(process.env.DATABASE_PATH || 'app.db'),
  uploadDir: resolve(process.env.UPLOAD_DIR || 'uploads'),
  jwtSecret: secret('JWT_SECRET', 32),
  webhookSecret: secret('WEBHOOK_SECRET', 16), // the provider chooses it
  tokenHours: 24,
  adminEmail: (process.env.ADMIN_EMAIL || '').trim().toLowerCase(),
  adminPassword: process.env.ADMIN_PASSWORD || '',
  corsOrigins: (process.env.CORS_ORIGINS || '').split(',').map((origin) => origin.trim()).filter(Boolean),
};
