import { resolve } from 'node:path';
import { once } from './once';

function required(name: string): string {
  const value = process.env[name];
  if (!value) throw new Error(`${name} is not set`);
  return value;
}

/** Settings, read once from the environment, and not when a module is loaded: the build has none of them. */
export const settings = () =>
  once('settings', () => ({
    databasePath: process.env.DATABASE_PATH || 'app.db',
    uploadDir: resolve(process.env.UPLOAD_DIR || 'uploads'),
    jwtSecret: required('JWT_SECRET'),
    webhookSecret: required('WEBHOOK_SECRET'),
    tokenHours: 24,
    adminEmail: (process.env.ADMIN_EMAIL ?? '').trim().toLowerCase(),
    adminPassword: process.env.ADMIN_PASSWORD ?? '',
  }));
