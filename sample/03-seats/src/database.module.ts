import { Module } from '@nestjs/common';
import { SeatDatabase } from './seat.database.js';
import { SqliteFile } from './sqlite.file.js';

@Module({ providers: [SqliteFile, SeatDatabase], exports: [SqliteFile, SeatDatabase] })
export class DatabaseModule {}
