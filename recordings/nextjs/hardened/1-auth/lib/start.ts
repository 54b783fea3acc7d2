import { database } from './db';
import { nobody } from './passwords';
import { settings } from './settings';

/** Runs before the first request. Next logs an error thrown from here and serves all the same, hence the exit. */
export async function start() {
  try {
    settings();
    database();
    await nobody();
  } catch (error) {
    console.error(error instanceof Error ? error.message : error);
    process.exit(1);
  }
}
