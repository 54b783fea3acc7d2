import cors from 'cors';
import express from 'express';
import { admin } from './admin.js';
import { auth } from './auth.js';
import { files } from './files.js';
import { headers } from './headers.js';
import { notes } from './notes.js';
import { answerError, noSuchRoute } from './refusal.js';
import { settings } from './settings.js';
import { webhooks } from './webhooks.js';

export const app = express();
app.disable('x-powered-by');
app.disable('etag');
app.use(headers);
app.use(
  cors({
    origin: settings.corsOrigins,
    methods: ['GET', 'POST', 'PATCH', 'DELETE'],
    allowedHeaders: ['Authorization', 'Content-Type'],
    maxAge: 600,
  }),
);

// Before the JSON parser: a signature is over the raw bytes.
app.use('/api/webhooks', webhooks);
app.use(express.json({ limit: '256kb' }));
app.use('/api/auth', auth);
app.use('/api/files', files);
app.use('/api/admin', admin);
app.use('/api', notes);

app.get('/api/health', (req, res) => {
  res.json({ status: 'ok' });
});

app.use(noSuchRoute);
app.use(answerError);
