import Link from "next/link";

export const metadata = { title: "Lamps", metadataBase: new URL("http://site.test") };

export default function Layout({ children }) {
  return (
    <html lang="en">
      <body>
        <nav>
          <Link href="/">Home</Link> <Link href="/blog/first">First</Link> <Link href="/blog/second">Second</Link> <Link href="/guestbook">Guestbook</Link>{" "}
          <Link href="/search?q=first">Search</Link> <Link href="/account">Account</Link> <a href="/feed.xml">Feed</a> <a href="/api/time">Time</a>
        </nav>
        {children}
      </body>
    </html>
  );
}
