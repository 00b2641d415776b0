/** How the phone is held: 0 to 1 each way, from where it was held when tilt began. */

const REACH = 35; // degrees to either side

interface Asks {
  requestPermission?: () => Promise<"granted" | "denied">;
}

export class Tilt {
  on = false;
  #rest: { beta: number; gamma: number } | null = null;

  constructor(
    readonly moved: (x: number, y: number) => void,
    readonly trouble: (text: string) => void,
  ) {}

  async start(): Promise<void> {
    if (typeof DeviceOrientationEvent === "undefined") {
      this.trouble("This browser does not tell how it is held.");
      return;
    }
    const asks = DeviceOrientationEvent as unknown as Asks;
    if (asks.requestPermission && (await asks.requestPermission().catch(() => "denied")) !== "granted") {
      this.trouble("The browser was told not to say how the phone is held: allow motion for this page.");
      return;
    }
    this.#rest = null;
    this.on = true;
    addEventListener("deviceorientation", this.#turned);
    setTimeout(() => {
      if (this.on && !this.#rest) {
        this.stop();
        this.trouble(
          isSecureContext
            ? "Nothing is felt: this device has no sensor for it."
            : "A phone tells how it is held to secure pages only: open this page as https.",
        );
      }
    }, 1500);
  }

  stop(): void {
    this.on = false;
    removeEventListener("deviceorientation", this.#turned);
  }

  #turned = (event: DeviceOrientationEvent) => {
    const { beta, gamma } = event;
    if (beta === null || gamma === null) return;
    this.#rest ??= { beta, gamma };
    const side = (angle: number) => 0.5 + angle / REACH / 2;
    this.moved(side(gamma - this.#rest.gamma), side(beta - this.#rest.beta));
  };
}
