export function Rendered(props: { at: string | undefined }) {
  return (
    <p>
      Rendered at{" "}
      <time data-rendered-at datetime={props.at}>
        {props.at}
      </time>
    </p>
  );
}
