import { Module } from '@nestjs/common';
import { AuthController } from './auth.controller';
import { TasksController } from './tasks.controller';
import { Store } from './store';

@Module({ controllers: [AuthController, TasksController], providers: [Store] })
export class AppModule {}
