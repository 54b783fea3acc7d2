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
    jwtSecret: required('JWT_SECRET'),
    tokenHours: 24,
  }));
