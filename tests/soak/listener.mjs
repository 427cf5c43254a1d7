/** A server of the soak test's own process: the runtime's kill does not end it. */
import http from "node:http";

export class Listener {
  #server;

  /** @param {(request: http.IncomingMessage, response: http.ServerResponse) => void} answer */
  constructor(answer) {
    this.#server = http.createServer(answer);
  }

  /** Starts to listen on a free port, and returns the port. */
  async listen() {
    await new Promise((resolve) => this.#server.listen(0, "127.0.0.1", resolve));
    return this.#server.address().port;
  }

  close() {
    this.#server.closeAllConnections();
    this.#server.close();
  }
}
