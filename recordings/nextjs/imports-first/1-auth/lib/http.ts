import { NextResponse } from 'next/server';
import type { z } from 'zod';

export function failure(status: number, error: string) {
  return NextResponse.json({ error }, { status });
}

export async function parseBody<T extends z.ZodType>(request: Request, schema: T): Promise<z.infer<T> | null> {
  const body = await request.json().catch(() => undefined);
  const result = schema.safeParse(body);
  return result.success ? result.data : null;
}
