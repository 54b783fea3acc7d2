import { Injectable, UnauthorizedException } from '@nestjs/common';
import { randomBytes, randomUUID, scryptSync } from 'crypto';

@Injectable()
export class Store {
  users = new Map<string, any>();
  sessions = new Map<string, any>();
  tasks = new Map<string, any>();

  hash(password: string, salt: string) {
    return scryptSync(password, salt, 32).toString('hex');
  }

  open(user: any) {
    const token = randomBytes(24).toString('hex');
    this.sessions.set(token, user);
    return token;
  }

  who(authorization?: string) {
    const user = this.sessions.get((authorization ?? '').replace(/^Bearer /, ''));
    if (!user) throw new UnauthorizedException();
    return user;
  }

  add(email: string, password: string) {
    const salt = randomBytes(16).toString('hex');
    const user = { id: randomUUID(), email, salt, hash: this.hash(password, salt) };
    this.users.set(email, user);
    return user;
  }
}
