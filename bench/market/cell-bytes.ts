/** One cell on a link: link protocols 4 and 5. */
export const cellBytes = 514;
