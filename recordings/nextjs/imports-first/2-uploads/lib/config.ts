function required(name: string): string {
  const value = process.env[name];
  if (!value) throw new Error(`${name} is not set`);
  return value;
}

// Getters, because the build loads this module without the settings.
export const config = {
  get databasePath() {
    return process.env.DATABASE_PATH || 'app.db';
  },
  get uploadDir() {
    return process.env.UPLOAD_DIR || 'uploads';
  },
  get jwtSecret() {
    return required('JWT_SECRET');
  },
};
