import { Controller, Get, Param } from '@nestjs/common';
import { SeatDatabase } from './seat.database.js';

@Controller('organizations/:id/seats')
export class SeatsController {
  constructor(private readonly seats: SeatDatabase) {}

  @Get()
  used(@Param('id') id: string): { used: number } {
    return { used: this.seats.used(id) };
  }
}
