import { resolve } from 'node:path';

function required(name) {
  const value = process.env[name];
  if (!value) throw new Error(`${name} is not set`);
  return value;
}

/** Settings, read once from the environment. */
export const settings = {
  databasePath: resolve(process.env.DATABASE_PATH || 'app.db'),
  uploadDir: resolve(process.env.UPLOAD_DIR || 'uploads'),
  jwtSecret: required('JWT_SECRET'),
  tokenHours: 24,
};
