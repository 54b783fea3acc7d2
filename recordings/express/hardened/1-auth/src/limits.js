import { rateLimit } from 'express-rate-limit';
import { Refusal } from './refusal.js';

/** Calls a minute for each socket's own address: Express believes no X-Forwarded-For unless told to. */
const callsAMinute = (limit) =>
  rateLimit({
    windowMs: 60_000,
    limit,
    standardHeaders: 'draft-7',
    legacyHeaders: false,
    validate: { xForwardedForHeader: false },
    handler: (req, res, next) => next(new Refusal(429, 'too many tries')),
  });

export const loginLimit = callsAMinute(5);
export const registerLimit = callsAMinute(20);
