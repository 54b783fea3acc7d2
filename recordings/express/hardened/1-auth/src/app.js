import express from 'express';
import { auth } from './auth.js';
import { answerError, noSuchRoute } from './refusal.js';

export const app = express();
app.disable('x-powered-by');
app.disable('etag');

app.use(express.json({ limit: '256kb' }));
app.use('/api/auth', auth);

app.get('/api/health', (req, res) => {
  res.json({ status: 'ok' });
});

app.use(noSuchRoute);
app.use(answerError);
