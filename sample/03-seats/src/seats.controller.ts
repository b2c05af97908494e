import { Controller, Get, Param } from '@nestjs/common';
import { SeatDatabase } from './seat.database.js';

@Controller('organizations/:id/seats')
export class SeatsController {
  constructor(private readonly database: SeatDatabase) {}

  @Get()
  async used(@Param('id') id: string): Promise<{ used: number }> {
    return this.database.transaction((connection) => {
      const row = connection.prepare('SELECT used FROM seats WHERE organization_id = ?').get(id);
      return { used: (row as { used: number } | undefined)?.used ?? 0 };
    });
  }
}
