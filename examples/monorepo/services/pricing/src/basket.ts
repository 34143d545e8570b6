import currency from "currency.js";

const BULK_FROM = 10;
const BULK_DISCOUNT = 0.05;

export interface Line {
  price: string;
  quantity: number;
}

/** The price of all lines; from ten books on, five percent less. */
export function total(lines: readonly Line[]): string {
  const books = lines.reduce((sum, line) => sum + line.quantity, 0);
  const full = lines.reduce(
    (sum, line) => sum.add(currency(line.price).multiply(line.quantity)),
    currency(0),
  );
  return (books >= BULK_FROM ? full.multiply(1 - BULK_DISCOUNT) : full).toString();
}

/** Reads lines as a query gives them: `12.50x2`. */
export function parseLine(text: string): Line | undefined {
  const match = /^(\d+\.\d{2})x(\d{1,4})$/.exec(text);
  if (!match?.[1] || !match[2]) return undefined;
  return { price: match[1], quantity: Number(match[2]) };
}
