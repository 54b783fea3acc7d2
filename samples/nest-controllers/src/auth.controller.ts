import { BadRequestException, Body, ConflictException, Controller, Get, Headers, HttpCode, Post, UnauthorizedException } from '@nestjs/common';
import { Store } from './store';

class SignUpDto {
  email: string;
  password: string;
}

@Controller('auth')
export class AuthController {
  constructor(private readonly store: Store) {}

  @Post('signup')
  signup(@Body() body: SignUpDto) {
    if (typeof body.email !== 'string' || typeof body.password !== 'string') throw new BadRequestException();
    if (this.store.users.has(body.email)) throw new ConflictException();
    return { accessToken: this.store.open(this.store.add(body.email, body.password)) };
  }

  @Post('login')
  @HttpCode(200)
  login(@Body() body: SignUpDto) {
    const user = this.store.users.get(body.email);
    const given = this.store.hash(String(body.password), user ? user.salt : 'none');
    if (!user || user.hash !== given) throw new UnauthorizedException();
    return { accessToken: this.store.open(user) };
  }

  @Get('me')
  me(@Headers('authorization') authorization: string) {
    const user = this.store.who(authorization);
    return { id: user.id, email: user.email };
  }
}
