import Image from "next/image";

export default function Page() {
  return (
    <main>
      <h1>Lamps</h1>
      <Image src="/lamp.png" width={200} height={100} alt="a lamp" />
    </main>
  );
}
