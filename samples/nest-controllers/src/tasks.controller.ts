import { Body, Controller, Delete, Get, Headers, NotFoundException, Param, Post } from '@nestjs/common';
import { randomUUID } from 'crypto';
import { Store } from './store';

@Controller('tasks')
export class TasksController {
  constructor(private readonly store: Store) {}

  @Post()
  create(@Headers('authorization') authorization: string, @Body() body: { title: string; description: string }) {
    const user = this.store.who(authorization);
    const task = { id: randomUUID(), owner: user.id, title: body.title, description: body.description };
    this.store.tasks.set(task.id, task);
    return { id: task.id };
  }

  @Get(':id')
  one(@Headers('authorization') authorization: string, @Param('id') id: string) {
    const user = this.store.who(authorization);
    const task = this.store.tasks.get(id);
    if (!task || task.owner !== user.id) throw new NotFoundException();
    return { id: task.id, title: task.title, description: task.description };
  }
}
